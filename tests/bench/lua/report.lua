-- Shared by the scripts beside it: counts answers by status, prints one line of JSON at the end.
local threads = {}

function setup(thread)
   thread:set("number", #threads)
   table.insert(threads, thread)
end

statuses = {}

function count(status)
   local name = "status_" .. status
   statuses[name] = (statuses[name] or 0) + 1
end

function done(summary, latency, requests)
   local errors = summary.errors
   local result = {
      requests = summary.requests,
      seconds = summary.duration / 1e6,
      p50 = latency:percentile(50) / 1000,
      p95 = latency:percentile(95) / 1000,
      p99 = latency:percentile(99) / 1000,
      socket_errors = errors.connect + errors.read + errors.write + errors.timeout,
   }
   for _, thread in ipairs(threads) do
      for name, n in pairs(thread:get("statuses")) do
         result[name] = (result[name] or 0) + n
      end
   end
   local parts = {}
   for name, n in pairs(result) do
      table.insert(parts, string.format('"%s": %.3f', name, n))
   end
   print("bench-result {" .. table.concat(parts, ", ") .. "}")
end
