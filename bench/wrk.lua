-- Method and body come behind `--`; what was counted is printed as one line of JSON, times in microseconds.
function init(arguments)
  wrk.method = arguments[1]
  wrk.body = arguments[2]
end

function done(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  local form = '{"count":%d,"micros":%d,"bytes":%d,"refused":%d,"broken":%d,"p50":%d}\n'
  io.write(form:format(summary.requests, summary.duration, summary.bytes, errors.status, broken, latency:percentile(50)))
end
