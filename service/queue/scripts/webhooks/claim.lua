-- Claim webhooks that are due, for the time of a lease, because the process may die.
-- ARGV: prefix, most to claim, milliseconds of the lease, milliseconds to keep the record of one.
-- Returns for each the job, its url, the number of this attempt, its body or nothing, and the job's
-- state or nothing.
local due = redis.call('ZRANGEBYSCORE', prefix .. 'hooks', '-inf', now(), 'LIMIT', 0, ARGV[2])
local taken = {}
for _, job in ipairs(due) do
  local hook = key('hook', job)
  local facts = redis.call('HMGET', key('job', job), 'webhook', 'state')
  -- A settled webhook belongs to an earlier end of the job, before it was requeued.
  if redis.call('HEXISTS', hook, 'state') == 1 then redis.call('DEL', hook) end
  -- The job may expire before the last attempt, so the webhook has its own record.
  if facts[1] and facts[1] ~= '' then redis.call('HSET', hook, 'url', facts[1]) end
  local known = redis.call('HMGET', hook, 'url', 'body')
  if known[1] then
    redis.call('ZADD', prefix .. 'hooks', 'XX', text(now() + ARGV[3]), job)
    -- Counted before it is sent, so that an attempt that ends the process counts.
    local attempt = redis.call('HINCRBY', hook, 'attempts', 1)
    redis.call('PEXPIRE', hook, ARGV[4])
    table.insert(taken, {job, known[1], attempt, known[2], facts[2]})
  else
    redis.call('ZREM', prefix .. 'hooks', job)
  end
end
return taken
