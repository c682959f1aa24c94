-- Requeue a dead letter. ARGV: prefix, group, entry of the dead letter, milliseconds to the deadline,
-- milliseconds to keep a result. Returns 1 if it was queued, 0 if the letter or its task no longer
-- exists. Jobs that still exist are queued again, with a new deadline.
local lifetime, ttl = tonumber(ARGV[4]), tonumber(ARGV[5])
local letter = redis.call('XRANGE', prefix .. 'dead', ARGV[3], ARGV[3])[1]
if not letter then return 0 end
local facts = {}
for i = 1, #letter[2], 2 do facts[letter[2][i]] = letter[2][i + 1] end
redis.call('XDEL', prefix .. 'dead', ARGV[3])
local task = facts['work']
local name, subscribers = key('work', task), key('claims', task)
if redis.call('HGET', name, 'dead') ~= '1' then return 0 end
local stream = route(facts['lane'], redis.call('HGET', name, 'model') or '')
local entry = redis.call('XADD', stream, '*', 'work', task)
redis.call('HSET', name, 'state', 'queued', 'dead', '0', 'reason', '', 'stream', stream,
  'entry', entry)
redis.call('HDEL', name, 'error', 'cause', 'letter')
redis.call('PEXPIRE', name, lifetime + ttl)
local at = now()
for _, job in ipairs(redis.call('SMEMBERS', subscribers)) do
  if redis.call('HGET', key('job', job), 'state') == 'failed' then
    redis.call('HSET', key('job', job), 'state', 'queued', 'reason', '', 'deadline', text(at + lifetime))
    redis.call('ZADD', prefix .. 'deadlines', text(at + lifetime), job)
    add_event(job, 'queued')
    set_job_ttl(job, lifetime + ttl)
  else
    redis.call('SREM', subscribers, job)
  end
end
redis.call('PEXPIRE', subscribers, lifetime + ttl)
return 1
