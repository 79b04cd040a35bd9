#ifndef CPROCESS_H
#define CPROCESS_H
int cprocess_stub(void);
#endif
