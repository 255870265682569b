-- GET the same page again and again. With the argument "tagged" each request carries the newest ETag that was seen.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")

local tagged = false
local headers = {}

function init(args)
   tagged = args[1] == "tagged"
end

function request()
   return wrk.format("GET", nil, headers)
end

function response(status, received)
   count(status)
   if tagged and status == 200 then
      headers["If-None-Match"] = received["etag"] or received["ETag"] or received["Etag"]
   end
end
