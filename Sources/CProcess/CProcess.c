#include "CProcess.h"
int cprocess_stub(void){return 0;}
