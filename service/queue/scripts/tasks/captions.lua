-- Store vectors of captions. ARGV: prefix, group, encoder, limit, ttl [ms], then field and vector
-- of each. There are two hashes: when the newer one holds half of the limit it becomes the older
-- one, and what was there and is not used again is gone.
local newer = key('captions', ARGV[3])
local older = newer .. ':older'
for i = 6, #ARGV, 2 do redis.call('HSET', newer, ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', newer, ARGV[5])
if redis.call('HLEN', newer) >= tonumber(ARGV[4]) / 2 then redis.call('RENAME', newer, older) end
