-- What wrk sends and prints for scripts/bench. The argument is the number of different requests:
-- they differ in their query, so that each has a cache entry of its own. The answers are not
-- looked at, which would cost more than asking; wrk counts those of status 400 and above.

local requests = {}
local last = 0

function init(arguments)
  for page = 1, tonumber(arguments[1]) do
    requests[page] = wrk.format("GET", wrk.path .. "?page=" .. page)
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

-- One line: requests, seconds, median and 99th percentile in milliseconds, errors.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("measured %d %.6f %.3f %.3f %d\n",
    summary.requests,
    summary.duration / 1e6,
    latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
