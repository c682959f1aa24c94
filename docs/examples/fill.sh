#!/bin/sh
# Call the service with curl: sh fill.sh photo.jpg "a dog runs" filled.png
set -eu
url="${CAPTIONFILL_URL:-http://127.0.0.1:8000}"

# The picture itself.
curl --fail-with-body -sS -F "image=@$1" -F "caption=$2" -F seed=7 -o "$3" "$url/inpaint"

# In the background: the answer names the job; its events end when it is done; then its result.
job=$(curl --fail-with-body -sS -H "Prefer: respond-async" -D - -o /dev/null \
  -F "image=@$1" -F "caption=$2" -F seed=8 "$url/inpaint" |
  tr -d '\r' | sed -n 's/^location: //Ip')
case "$job" in http*) ;; *) job="$url$job" ;; esac
curl -sS -N --max-time 60 "$job/events" | grep '^event:'
curl --fail-with-body -sS -o "${3%.png}-job.png" "$job/result"
