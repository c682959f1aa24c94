-- Drop entries whose task has expired or ended.

-- Check some entries of a stream from an id on.
-- Returns the next id: "-" at the end of the stream.
local function sweep_stream(stream, group, ttl, first, most, reason)
  local entries = redis.call('XRANGE', stream, first, '+', 'COUNT', most)
  for _, found in ipairs(entries) do
    local entry, task = found[1], found[2][2]
    local facts = redis.call('HMGET', key('work', task), 'state', 'entry')
    local alive = facts[1] == 'queued' or facts[1] == 'running'
    if not alive or facts[2] ~= entry then
      if not facts[1] then
        end_jobs_without_task(task, ttl, reason)
      end
      drop_entry(stream, group, entry)
      count('dropped')
    end
  end
  if #entries < most then return '-' end
  return '(' .. entries[#entries][1]
end

-- Entries of expired tasks do not count, even while no worker lives to drop them.
local function has_room(stream, group, ttl, limit)
  if redis.call('XLEN', stream) < limit then return true end
  expire_due(group, ttl, 1000)
  sweep_stream(stream, group, ttl, '-', 1000)
  return redis.call('XLEN', stream) < limit
end
