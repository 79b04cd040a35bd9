-- wrk: each request is another shopper's. With BENCH_SKU it fills a cart, without it orders what is in it.
local run, sku, shopper = os.getenv("BENCH_RUN"), os.getenv("BENCH_SKU"), 0

function request()
  shopper = shopper + 1
  local name = run .. "-" .. shopper
  local headers = {["Content-Type"] = "application/json", Cookie = "demoUser=" .. name}
  if sku then
    local body = string.format('{"sku":"%s%d"}', sku, math.random(0, 999))
    return wrk.format("POST", "/v1/cart/lines", headers, body)
  end
  headers["Idempotency-Key"] = name
  return wrk.format("POST", "/v1/orders", headers, '{"expectedTotal":1}')
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'result {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"errors":%d}\n', summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
