-- Take a job back. Work that nobody else claims leaves the stream at once.
-- ARGV: prefix, group, job, milliseconds to keep its state, whether to forget it altogether.
-- A job that has come to its end is forgotten in any case, picture and all.
-- Returns the state it was in, or nothing where it is not known.
local group, job, keep, forget = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local name = key('job', job)
local facts = redis.call('HMGET', name, 'state', 'work')
if not facts[1] then return false end
if facts[1] == 'queued' then
  local work = facts[2]
  conclude(job, 'cancelled', '', keep)
  redis.call('SREM', key('claims', work), job)
  if redis.call('SCARD', key('claims', work)) == 0 then
    local where = redis.call('HMGET', key('work', work), 'state', 'entry')
    if where[1] == 'queued' or where[1] == 'running' then
      drop_entry(stream_of(work), group, where[2])
      redis.call('DEL', key('work', work))
    end
  end
  redis.call('PUBLISH', prefix .. 'bells', work)
end
redis.call('DEL', key('upload', job))
if forget == '1' or facts[1] ~= 'queued' then
  redis.call('DEL', name, key('events', job), key('hook', job))
end
return facts[1]
