-- The states of many jobs at once, without their places in the lane.
-- ARGV: prefix, group, milliseconds, jobs. What is done is kept at least that long from now: whoever
-- asks after a batch is going to fetch it, and its first pictures must not be gone before its last.
-- The state of a job that is not known is "missing", or what is noted of it: "lost", "deleted".
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
