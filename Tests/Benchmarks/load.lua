-- wrk: one shopper's requests, and what came of them as a line of JSON. With BENCH_BODY they are POSTs.
local body = os.getenv("BENCH_BODY")
wrk.headers["Shopper"] = os.getenv("BENCH_SHOPPER")
if body then
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.body = body
end

function done(summary, latency)
  local errors = {}
  for kind, number in pairs(summary.errors) do
    if number > 0 then errors[#errors + 1] = string.format('"%s":%d', kind, number) end
  end
  io.write(string.format(
    'result {"requests":%d,"microseconds":%d,"bytes":%d,"p50":%d,"p99":%d,"worst":%d,"errors":{%s}}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99), latency.max,
    table.concat(errors, ",")))
end
