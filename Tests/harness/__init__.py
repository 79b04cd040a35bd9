"""What the tests in Python share: clients and servers.

    wire        FastCGI, and the protocols of Redis and PostgreSQL, as these tests speak them themselves
    web         requests to nginx, one on each connection or many
    meanwhile   what goes on in other threads
    processes   starting, ending and looking at processes
    servers     a Redis, a PostgreSQL and an nginx of one's own, and gates before their sockets
    shop        what is done to a shop by its `cartctl` and its stores; the running instance of `nginx/up`
    system      a whole shop of one's own: stores, a master with its workers, and requests to it without nginx
    tokens      tokens that a shop would sign
    pool        a master with its workers behind an nginx, with the instance's PostgreSQL

Each folder of tests has it as `harness`, a link to this one, so that a test runs by itself from anywhere.
"""
