"""The steps of the queue that must not be torn: each a Lua script, run by the server in one go.

A job's hash expires at its deadline, by the server's clock: a hash that is gone is a job nobody
waits for. Only commands of Redis 6.2 are used; Valkey has them all.
"""

_NOW = """
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
"""

# KEYS: stream, job. ARGV: depth limit, milliseconds to the deadline, job id, fields and values.
# Returns 0 where the queue is full. A repeated call (a retry after a lost reply) adds nothing.
ENQUEUE = f"""
if redis.call('EXISTS', KEYS[2]) == 1 then return 1 end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
{_NOW}
redis.call('HSET', KEYS[2], 'created', now, unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('XADD', KEYS[1], '*', 'id', ARGV[3])
return 1
"""

_STORE = """
local function store(job, bell, keep, fields)
  redis.call('HDEL', job, 'window', 'caption')
  redis.call('HSET', job, unpack(fields))
  redis.call('HINCRBY', job, 'stored', 1)
  redis.call('PEXPIRE', job, keep)
  redis.call('RPUSH', bell, 1)
  redis.call('PEXPIRE', bell, keep)
end
"""

# KEYS: stream, dead letters, then job and bell of each entry.
# ARGV: group, most deliveries, milliseconds to keep an outcome, then the entries and their ids.
# Returns the time, then for each entry the job's fields, or nothing where it is not to be run.
OPEN = f"""
{_STORE}
{_NOW}
local opened = {{now}}
for i = 4, #ARGV, 2 do
  local entry, job, bell = ARGV[i], KEYS[i - 1], KEYS[i]
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], entry, entry, 1)[1]
  local wanted = redis.call('HEXISTS', job, 'window') == 1
  local fields = {{}}
  if pending and wanted and pending[4] <= tonumber(ARGV[2]) then
    fields = redis.call('HGETALL', job)
  elseif pending then
    if wanted then
      local reason = 'given up after ' .. ARGV[2] .. ' deliveries'
      redis.call('XADD', KEYS[2], '*', 'id', ARGV[i + 1], 'reason', reason)
      store(job, bell, ARGV[3], {{'outcome', 'failed', 'reason', reason}})
    end
    redis.call('XACK', KEYS[1], ARGV[1], entry)
    redis.call('XDEL', KEYS[1], entry)
  end
  table.insert(opened, fields)
end
return opened
"""

# KEYS: stream, job, bell. ARGV: group, entry, milliseconds to keep, fields and values.
# Returns 1 where this call stored the outcome; a second one, or one nobody waits for, is dropped.
FINISH = f"""
{_STORE}
local wanted = redis.call('HEXISTS', KEYS[2], 'window') == 1
if wanted then store(KEYS[2], KEYS[3], ARGV[3], {{unpack(ARGV, 4)}}) end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return wanted and 1 or 0
"""

# KEYS: stream. ARGV: group, consumer, entries. Returns how many leases are still ours.
# JUSTID keeps the delivery count; the look at the owner keeps a late worker from stealing back.
RENEW = """
local held = 0
for i = 3, #ARGV do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)[1]
  if pending and pending[2] == ARGV[2] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
    held = held + 1
  end
end
return held
"""

# KEYS: workers. ARGV: worker, bundle digest. Those silent for a minute are forgotten.
BEAT = f"""
{_NOW}
redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. ARGV[2])
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if now - string.match(all[i + 1], '%d+') > 60000 then redis.call('HDEL', KEYS[1], all[i]) end
end
return 1
"""
