-- The states of many jobs at once, without their positions in the queue.
-- ARGV: prefix, group, milliseconds, jobs. Results are kept at least that long from now, so that the
-- first result of a batch does not expire before the last is done.
-- The state of an unknown job is "missing", or its tombstone: "lost" or "deleted".
local group, ttl = ARGV[2], ARGV[3]
local states = {}
for i = 4, #ARGV do
  local job = ARGV[i]
  local state = current_state(group, job, ttl)
  if state == 'done' then
    extend_ttl(key('work', redis.call('HGET', key('job', job), 'work')), ttl)
    if redis.call('PTTL', key('job', job)) < tonumber(ttl) then set_job_ttl(job, ttl) end
  end
  states[i - 3] = state or redis.call('GET', key('gone', job)) or 'missing'
end
return states
