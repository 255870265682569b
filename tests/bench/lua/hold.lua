-- POST a hold of one place, each with an Idempotency-Key and a buyer of its own.
-- Arguments: a name for this run, and a file with one session id a line, of which each request picks one by chance.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")

local sent = 0
local sessions = {}
local headers = { ["Content-Type"] = "application/json" }

function init(args)
   run = args[1]
   for line in io.lines(args[2]) do
      table.insert(sessions, line)
   end
   math.randomseed(number + 1)
end

function request()
   sent = sent + 1
   local name = run .. "-" .. number .. "-" .. sent
   headers["Idempotency-Key"] = name
   local body = '{"session": "' .. sessions[math.random(#sessions)] .. '", "party_size": 1, "email": "' .. name .. '@example.com"}'
   return wrk.format("POST", nil, headers, body)
end

function response(status)
   count(status)
end
