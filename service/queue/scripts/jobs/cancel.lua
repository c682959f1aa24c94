-- Cancel a job. A task without another subscriber leaves the stream at once.
-- ARGV: prefix, group, job, milliseconds to keep its state, whether to delete it.
-- A job that has ended is deleted in any case, with its upload.
-- Returns the state before, or nothing if the job is unknown.
local group, job, ttl, forget = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local name = key('job', job)
local state = redis.call('HGET', name, 'state')
if not state then return false end
if state == 'queued' then withdraw(group, job, 'cancelled', '', ttl) end
drop_upload(job)
if forget == '1' or state ~= 'queued' then
  redis.call('DEL', name, key('events', job), key('hook', job))
  -- Without this tombstone a job deleted soon after it was accepted would look like a lost one.
  redis.call('SET', key('gone', job), 'deleted', 'PX', ttl)
end
return state
