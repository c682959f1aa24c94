-- End a webhook once. ARGV: prefix, job, "delivered" or "abandoned", the reason, milliseconds to
-- keep its record.
if redis.call('ZREM', prefix .. 'hooks', ARGV[2]) == 1 then
  redis.call('HSET', key('hook', ARGV[2]), 'state', ARGV[3], 'error', ARGV[4])
  redis.call('PEXPIRE', key('hook', ARGV[2]), ARGV[5])
  count('hooks_' .. ARGV[3])
end
return 1
