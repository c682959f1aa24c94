-- Make a webhook due again. ARGV: prefix, job, milliseconds to wait, the reason.
-- XX: a webhook that another process has delivered meanwhile is not due again.
redis.call('ZADD', prefix .. 'hooks', 'XX', text(now() + ARGV[3]), ARGV[2])
if redis.call('EXISTS', key('hook', ARGV[2])) == 1 then
  redis.call('HSET', key('hook', ARGV[2]), 'error', ARGV[4])
end
count('hooks_retried')
return 1
