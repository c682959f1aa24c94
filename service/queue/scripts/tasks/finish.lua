-- Store a result, and notify the subscribers of the task.
-- ARGV: prefix, group, stream, entry, task, milliseconds to keep it, state, reason, milliseconds to
-- keep it as a dead letter or 0 if it is none, fields and values.
-- Returns 1 if this call stored the result; a second result, or one without subscribers, is dropped.
local group, stream, entry, task = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local ttl, state, reason, dead_ttl = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local name = key('work', task)
local facts = redis.call('HMGET', name, 'state', 'entry', 'lane')
local wanted = (facts[1] == 'queued' or facts[1] == 'running') and facts[2] == entry
if wanted then
  redis.call('HINCRBY', name, 'stored', 1)
  if #ARGV > 9 then redis.call('HSET', name, unpack(ARGV, 10)) end
  if dead_ttl ~= '0' then
    -- A dead letter keeps its subscribers, so that they get the result after a requeue.
    dead_letter(task, facts[3], reason, ttl, dead_ttl)
  else
    redis.call('HDEL', name, 'window', 'caption', 'other')
    redis.call('HSET', name, 'state', state, 'reason', reason, 'dead', '0')
    redis.call('PEXPIRE', name, ttl)
    end_subscribed_jobs(task, state, reason, ttl)
    redis.call('DEL', key('claims', task))
  end
end
drop_entry(stream, group, entry)
return wanted and 1 or 0
