-- wrk: adds one piece of the SKU that the environment names.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"sku":"' .. os.getenv("BENCH_SKU") .. '","quantity":1}'
