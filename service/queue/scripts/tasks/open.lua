-- Open entries that this worker has read. ARGV: as in lib/leases.lua, then stream, entry and task of
-- each. Returns the time, then the stream, entry, task, fields of the task, request ids and traces of
-- each that is to be run.
local opened = {text(opened_at)}
for i = rest, #ARGV, 3 do
  local lease = open_entry(ARGV[i], ARGV[i + 1], ARGV[i + 2])
  if lease then table.insert(opened, lease) end
end
return opened
