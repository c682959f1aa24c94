-- Renew leases. ARGV: prefix, group, worker, then stream and entry of each.
-- Returns how many still belong to the worker. JUSTID keeps the count of deliveries. The owner is
-- checked, because another worker may have reclaimed the entry.
local group, worker = ARGV[2], ARGV[3]
local held = 0
for i = 4, #ARGV, 2 do
  local stream, entry = ARGV[i], ARGV[i + 1]
  local pending = redis.call('XPENDING', stream, group, entry, entry, 1)[1]
  if pending and pending[2] == worker then
    redis.call('XCLAIM', stream, group, worker, 0, entry, 'JUSTID')
    held = held + 1
  end
end
return held
