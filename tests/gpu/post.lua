-- wrk: tests/data/7.png as multipart/form-data. CHECK_ANSWERS=1 looks at every answer, which costs wrk too much to measure
-- by. Each thread has a Lua of its own; done() runs in another one and asks them by name.
local file = assert(io.open("tests/data/7.png", "rb"))
local picture = file:read("*a")
file:close()

wrk.method = "POST"
wrk.headers["Content-Type"] = "multipart/form-data; boundary=xx"
wrk.body = '--xx\r\nContent-Disposition: form-data; name="img"; filename="7.png"\r\n\r\n' .. picture .. "\r\n--xx--\r\n"

if not os.getenv("CHECK_ANSWERS") then
	return
end

local threads = {}

function setup(thread)
	table.insert(threads, thread)
	thread:set("wrong", 0)
end

function response(status, headers, body)
	if not body:find('"digit": 7,', 1, true) then
		wrong = wrong + 1
	end
end

function done(summary, latency, requests)
	local sum = 0
	for _, thread in ipairs(threads) do
		sum = sum + thread:get("wrong")
	end
	print("wrong answers: " .. sum)
end
