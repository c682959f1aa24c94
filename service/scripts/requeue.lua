-- Give a dead letter another chance. ARGV: prefix, group, entry of the dead letter, milliseconds
-- to the deadline. Returns 1 where it was queued, 0 where its work is gone or the letter is.
local letter = redis.call('XRANGE', prefix .. 'dead', ARGV[3], ARGV[3])[1]
if not letter then return 0 end
local facts = {}
for i = 1, #letter[2], 2 do facts[letter[2][i]] = letter[2][i + 1] end
redis.call('XDEL', prefix .. 'dead', ARGV[3])
local name = key('work', facts['work'])
if redis.call('HGET', name, 'dead') ~= '1' then return 0 end
local stream = route(facts['lane'], redis.call('HGET', name, 'model') or '')
local entry = redis.call('XADD', stream, '*', 'work', facts['work'])
redis.call('HSET', name, 'state', 'queued', 'dead', '0', 'reason', '', 'stream', stream,
  'entry', entry)
redis.call('HDEL', name, 'error')
redis.call('PEXPIRE', name, ARGV[4])
for _, job in ipairs(redis.call('SMEMBERS', key('claims', facts['work']))) do
  if redis.call('HGET', key('job', job), 'state') == 'failed' then
    redis.call('HSET', key('job', job), 'state', 'queued', 'reason', '')
    tell(job, 'queued')
  end
end
return 1
