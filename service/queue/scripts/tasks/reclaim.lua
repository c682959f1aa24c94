-- Reclaim one entry that no worker works on, and open it.
-- ARGV: as in lib/leases.lua, then milliseconds of a lease, then stream and entry of each lease that
-- the worker holds. Returns the same as open.lua.
-- These are entries of workers that are silent for a lease, released entries, and entries of this
-- worker that it does not hold because Redis's reply was lost.
local lease_ms = tonumber(ARGV[rest])
local opened, held = {text(opened_at)}, {}
for i = rest + 1, #ARGV, 2 do held[ARGV[i] .. ' ' .. ARGV[i + 1]] = true end

local function take_over(stream, entry, is_lost_reply)
  if held[stream .. ' ' .. entry] then return nil end
  local found = redis.call('XRANGE', stream, entry, entry)[1]
  if not found then
    redis.call('XACK', stream, group, entry)
    return nil
  end
  -- JUSTID does not count as a delivery: the entry never reached the worker.
  if is_lost_reply then
    redis.call('XCLAIM', stream, group, worker, 0, entry, 'JUSTID')
  else
    redis.call('XCLAIM', stream, group, worker, 0, entry)
  end
  return open_entry(stream, entry, found[2][2])
end

local function reclaim_from(stream)
  local idle = redis.call('XPENDING', stream, group, 'IDLE', lease_ms, '-', '+', 50)
  for _, pending in ipairs(idle) do
    local lease = take_over(stream, pending[1], false)
    if lease then return lease end
  end
  local own = redis.call('XPENDING', stream, group, 'IDLE', 0, '-', '+', 50, worker)
  for _, pending in ipairs(own) do
    local lease = take_over(stream, pending[1], true)
    if lease then return lease end
  end
end

for _, priority in ipairs({'interactive', 'batch'}) do
  for _, model in ipairs(models) do
    local lease = reclaim_from(stream_key(priority, model))
    if lease then return {opened[1], lease} end
  end
end
return opened
