-- Read new entries without waiting, and open them.
-- ARGV: as in lib/leases.lua, then priorities in reading order, each with the most leases to have in
-- all after it. Returns the same as open.lua.
local opened = {text(opened_at)}

local function read(stream, most_more)
  local replies = redis.call('XREADGROUP', 'GROUP', group, worker, 'COUNT', most_more,
    'STREAMS', stream, '>')
  return replies and replies[1] and replies[1][2] or {}
end

for i = rest, #ARGV, 2 do
  for _, model in ipairs(models) do
    local stream, more = stream_key(ARGV[i], model), tonumber(ARGV[i + 1]) - (#opened - 1)
    for _, found in ipairs(more > 0 and read(stream, more) or {}) do
      local lease = open_entry(stream, found[1], found[2][2])
      if lease then table.insert(opened, lease) end
    end
  end
end
return opened
