-- Give a dead letter another chance. ARGV: prefix, group, entry of the dead letter, milliseconds
-- to the deadline, milliseconds to keep an outcome. Returns 1 where it was queued, 0 where its work
-- is gone or the letter is. Jobs that are still known are queued again, with a new deadline.
local live, keep = tonumber(ARGV[4]), tonumber(ARGV[5])
local letter = redis.call('XRANGE', prefix .. 'dead', ARGV[3], ARGV[3])[1]
if not letter then return 0 end
local facts = {}
for i = 1, #letter[2], 2 do facts[letter[2][i]] = letter[2][i + 1] end
redis.call('XDEL', prefix .. 'dead', ARGV[3])
local work = facts['work']
local name, claims = key('work', work), key('claims', work)
if redis.call('HGET', name, 'dead') ~= '1' then return 0 end
local stream = route(facts['lane'], redis.call('HGET', name, 'model') or '')
local entry = redis.call('XADD', stream, '*', 'work', work)
redis.call('HSET', name, 'state', 'queued', 'dead', '0', 'reason', '', 'stream', stream,
  'entry', entry)
redis.call('HDEL', name, 'error', 'cause', 'letter')
redis.call('PEXPIRE', name, live + keep)
local at = now()
for _, job in ipairs(redis.call('SMEMBERS', claims)) do
  if redis.call('HGET', key('job', job), 'state') == 'failed' then
    redis.call('HSET', key('job', job), 'state', 'queued', 'reason', '', 'deadline', text(at + live))
    redis.call('ZADD', prefix .. 'deadlines', text(at + live), job)
    tell(job, 'queued')
    keep_job(job, live + keep)
  else
    redis.call('SREM', claims, job)
  end
end
redis.call('PEXPIRE', claims, live + keep)
return 1
