-- Takes from token buckets, from all of them or from none, by the store's own clock. The arithmetic is that of bucket.rs, in
-- the same order.
--
-- KEYS: one for each bucket, each once. ARGV: capacity, requests, window in microseconds and hits of each.
-- Answers the time in microseconds, whether all were taken, and what was used of each before.
-- A bucket is kept as "used at" and forgotten when nothing is used of it any more.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local kept = redis.call('MGET', unpack(KEYS))
local fits, found, ahead = 1, {}, {}
for i = 1, #KEYS do
  local capacity = tonumber(ARGV[4 * i - 3])
  local requests = tonumber(ARGV[4 * i - 2])
  local window = tonumber(ARGV[4 * i - 1])
  local hits = tonumber(ARGV[4 * i])
  local used = 0
  if kept[i] then
    local level, at = string.match(kept[i], '^(%S+) (%d+)$')
    level, at = tonumber(level), tonumber(at)
    if level and at then
      local elapsed = now - at
      if elapsed < 0 then
        elapsed = 0
        ahead[i] = true
      end
      if level > capacity then level = capacity end
      used = level - elapsed * requests / window
      if used < 0 then used = 0 end
    end
  end
  found[i] = used
  local asked = hits
  if hits == 0 then asked = 1 end
  if hits >= 0 and used + asked > capacity + 0.000000001 then fits = 0 end
end
for i = 1, #KEYS do
  local hits = tonumber(ARGV[4 * i])
  -- What a clock that went back left in the future is brought to now, or it would not fall for as long.
  if (fits == 1 and hits ~= 0) or ahead[i] then
    local used = found[i]
    if fits == 1 then used = used + hits end
    if used <= 0 then
      redis.call('DEL', KEYS[i])
    else
      local requests, window = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
      local millis = math.ceil(used * window / requests / 1000) + 1000
      redis.call('SET', KEYS[i], string.format('%.17g %.0f', used, now), 'PX', string.format('%.0f', millis))
    end
  end
end
local answer = { string.format('%.0f', now), fits }
for i = 1, #KEYS do
  answer[i + 2] = string.format('%.17g', found[i])
end
return answer
