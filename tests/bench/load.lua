-- For wrk: `-- METHOD [BODY]`; at the end one JSON object on stdout (times in microseconds).
function init(args)
  wrk.method = args[1] or "GET"
  wrk.body = args[2]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"duration":%d,"p50":%d,"p99":%d,"longest":%d,"status":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
