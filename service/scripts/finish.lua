-- Store an outcome and tell everybody who has a claim on it.
-- ARGV: prefix, group, stream, entry, work, milliseconds to keep it, state, reason, whether it is a
-- dead letter, fields and values.
-- Returns 1 where this call stored the outcome; a second one, or one nobody waits for, is dropped.
local group, stream, entry, work = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local keep, state, reason, dead = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local name = key('work', work)
local facts = redis.call('HMGET', name, 'state', 'entry', 'lane')
local wanted = (facts[1] == 'queued' or facts[1] == 'running') and facts[2] == entry
if wanted then
  if dead == '1' then
    redis.call('XADD', prefix .. 'dead', '*', 'work', work, 'lane', facts[3], 'reason', reason)
    count('dead_letters')
  else
    redis.call('HDEL', name, 'window', 'caption', 'other')
  end
  redis.call('HSET', name, 'state', state, 'reason', reason, 'dead', dead, unpack(ARGV, 10))
  redis.call('HINCRBY', name, 'stored', 1)
  redis.call('PEXPIRE', name, keep)
  conclude_all(work, state, reason, keep)
  -- A dead letter keeps its claims: put back into its lane, it still answers its clients.
  if dead == '1' then
    redis.call('PEXPIRE', key('claims', work), keep)
  else
    redis.call('DEL', key('claims', work))
  end
end
drop_entry(stream, group, entry)
return wanted and 1 or 0
