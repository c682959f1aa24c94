-- Bytes that background jobs keep in Redis, charged to accounts.

-- The entry under which a background job's bytes are charged to an account, or nil.
local function charge_of(job)
  local facts = redis.call('HMGET', key('job', job), 'bytes', 'account')
  if not facts[1] or facts[1] == '0' then return nil end
  return job .. '|' .. facts[1] .. '|' .. (facts[2] or '')
end

-- `storage` holds each charge by the time at which its keys expire; `storage:bytes` the sums, by
-- account and, as '*', in all.
local function charge(job, at)
  local entry = charge_of(job)
  if not entry or redis.call('ZADD', prefix .. 'storage', text(at), entry) == 0 then return end
  local bytes, account = string.match(entry, '^[^|]*|(%d+)|(.*)$')
  redis.call('HINCRBY', prefix .. 'storage:bytes', account, bytes)
  redis.call('HINCRBY', prefix .. 'storage:bytes', '*', bytes)
end

local function refund(entry)
  if not entry or redis.call('ZREM', prefix .. 'storage', entry) == 0 then return end
  local bytes, account = string.match(entry, '^[^|]*|(%d+)|(.*)$')
  for _, name in ipairs({account, '*'}) do
    if redis.call('HINCRBY', prefix .. 'storage:bytes', name, '-' .. bytes) <= 0 then
      redis.call('HDEL', prefix .. 'storage:bytes', name)
    end
  end
end

local function refund_due()
  local due = redis.call('ZRANGEBYSCORE', prefix .. 'storage', '-inf', now(), 'LIMIT', 0, 1000)
  for _, entry in ipairs(due) do refund(entry) end
  -- Sums without charges are left where Redis evicted the charges.
  if redis.call('EXISTS', prefix .. 'storage') == 0 then
    redis.call('DEL', prefix .. 'storage:bytes')
  end
end
