-- For wrk: `-- METHOD [BODY]`; at the end one JSON object on stdout (times in microseconds).
-- Every request carries an X-Request-Id, as behind an ingress; they are made once, so that wrk's own work stays small.
local prepared, turn = {}, 0

function init(args)
  local salt = math.random(0, 2 ^ 31 - 1)
  for number = 1, 1000 do
    prepared[number] = wrk.format(
      args[1] or "GET", nil, { ["Host"] = wrk.headers["Host"], ["X-Request-Id"] = string.format("%016x%016x", salt, number) }, args[2])
  end
end

function request()
  turn = turn % #prepared + 1
  return prepared[turn]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"duration":%d,"p50":%d,"p99":%d,"longest":%d,"status":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
