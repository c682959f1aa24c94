-- The states of many jobs at once, without their places in the lane.
-- ARGV: prefix, group, milliseconds, jobs. What is done is kept at least that long from now: whoever
-- asks after a batch is going to fetch it, and its first pictures must not be gone before its last.
-- The state of a job that is not known is "missing", or what is noted of it: "lost", "deleted".
local group, keep = ARGV[2], ARGV[3]
local states = {}
for i = 4, #ARGV do
  local job = ARGV[i]
  local state = current_state(group, job, keep)
  if state == 'done' then
    outlive(key('work', redis.call('HGET', key('job', job), 'work')), keep)
    if redis.call('PTTL', key('job', job)) < tonumber(keep) then keep_job(job, keep) end
  end
  states[i - 3] = state or redis.call('GET', key('gone', job)) or 'missing'
end
return states
