-- Take a job back. Work that nobody else claims leaves the stream at once.
-- ARGV: prefix, group, job, milliseconds to keep its state, whether to forget it altogether.
-- A job that has come to its end is forgotten in any case, picture and all.
-- Returns the state it was in, or nothing where it is not known.
local group, job, ttl, forget = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local name = key('job', job)
local state = redis.call('HGET', name, 'state')
if not state then return false end
if state == 'queued' then withdraw(group, job, 'cancelled', '', ttl) end
drop_upload(job)
if forget == '1' or state ~= 'queued' then
  redis.call('DEL', name, key('events', job), key('hook', job))
  -- Without this note a job forgotten soon after it was accepted would look like a lost one.
  redis.call('SET', key('gone', job), 'deleted', 'PX', ttl)
end
return state
