-- POST bookings, dry runs of them, or confirmations of held reservations; each with a buyer of its own.
-- Arguments: a name for this run, what to do (validate, book or confirm), and a file: of session ids, or of reservations
-- with their tokens, each of which is confirmed once.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")

local sent = 0
local rows = {}
local headers = { ["Content-Type"] = "application/json" }

function init(args)
   run, what = args[1], args[2]
   for line in io.lines(args[3]) do
      table.insert(rows, line)
   end
   math.randomseed(number + 1)
end

local function line()
   return '{"session": "' .. rows[math.random(#rows)] .. '", "party_size": 1}'
end

function request()
   sent = sent + 1
   local name = run .. "-" .. number .. "-" .. sent
   local customer = '"customer": {"email": "' .. name .. '@example.com", "name": "Guest"}'
   headers["Idempotency-Key"] = name
   if what == "confirm" then
      local id, token = rows[(sent * 2 + number) % #rows + 1]:match("(%S+) (%S+)")
      headers["Reservation-Token"] = token
      return wrk.format("POST", "/api/v1/reservations/" .. id .. "/confirm", headers, "{" .. customer .. "}")
   end
   local lines = what == "validate" and line() .. "," .. line() .. "," .. line() or line()
   return wrk.format("POST", nil, headers, '{"lines": [' .. lines .. '], "expected_total": ' .. (what == "validate" and 13500 or 4500) .. ", " .. customer .. "}")
end

function response(status)
   count(status)
end
