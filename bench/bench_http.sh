#!/bin/sh
# Our HTTP server beside nginx: the same bytes, the same certificate, the same run.
#
#     bench/bench_http.sh BUILD_FOLDER [SECONDS] [ROUNDS]
#
# One JSON line for each scheme, size and number of connections: requests a second (median of the
# rounds, ours and nginx taking turns) and the ratio.  Needs nginx, wrk and openssl.
set -eu

build=$1
seconds=${2:-2}
rounds=${3:-5}
here=$(mktemp -d)
port=$((20000 + $$ % 20000))
started=''

stop() {
	exec 9>&-
	for pid in $started; do kill "$pid" 2>/dev/null || true; done
	rm -rf "$here"
}
trap stop EXIT INT TERM

openssl ecparam -name prime256v1 -genkey -noout -out "$here/key.pem"
openssl req -x509 -key "$here/key.pem" -out "$here/cert.pem" -days 2 -subj /CN=localhost
mkdir "$here/files"
# What 100 and 1,000 ATT&CK objects take.
head -c 400000 /dev/urandom | base64 -w0 | head -c 291000 >"$here/files/100"
head -c 1800000 /dev/urandom | base64 -w0 | head -c 1800000 >"$here/files/1000"

cat >"$here/nginx.conf" <<EOF
worker_processes 2;
pid $here/nginx.pid;
error_log $here/error.log;
daemon off;
events { worker_connections 4096; }
http {
	access_log off;
	default_type application/octet-stream;
	sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=100;
	client_body_temp_path $here/t1; proxy_temp_path $here/t2; fastcgi_temp_path $here/t3;
	uwsgi_temp_path $here/t4; scgi_temp_path $here/t5;
	server { listen 127.0.0.1:$port; root $here/files; }
	server { listen 127.0.0.1:$((port + 1)) ssl; root $here/files;
		ssl_certificate $here/cert.pem; ssl_certificate_key $here/key.pem; }
}
EOF
chmod 755 "$here"
nginx -c "$here/nginx.conf" -e "$here/error.log" &
started="$started $!"

# Our servers run until descriptor 9 closes.
mkfifo "$here/until"
ours() { # port file [certificate key]
	at=$1
	shift
	"$build/bench_http" "127.0.0.1:$at" "$@" <"$here/until" >/dev/null &
	started="$started $!"
}
ours $((port + 2)) "$here/files/100"
ours $((port + 3)) "$here/files/1000"
ours $((port + 4)) "$here/files/100" "$here/cert.pem" "$here/key.pem"
ours $((port + 5)) "$here/files/1000" "$here/cert.pem" "$here/key.pem"
exec 9>"$here/until"
sleep 1

rate() { # connections url
	threads=2
	[ "$1" -gt 1 ] || threads=1
	wrk -t$threads -c"$1" -d"${seconds}s" "$2" | awk '/^Requests\/sec/ { print $2 }'
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
cpu=$(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)
measure() { # scheme size connections nginx-url our-url
	: >"$here/nginx.rates"
	: >"$here/our.rates"
	i=0
	while [ $i -lt "$rounds" ]; do
		rate "$3" "$4" >>"$here/nginx.rates"
		rate "$3" "$5" >>"$here/our.rates"
		i=$((i + 1))
	done
	peer=$(median <"$here/nginx.rates")
	mine=$(median <"$here/our.rates")
	awk -v s="$1" -v o="$2" -v c="$3" -v p="$peer" -v m="$mine" -v r="$rounds" -v cpu="$cpu" \
		-v n="$(nproc)" -v g="$commit" 'BEGIN {
		printf "{\"bench\":\"http\",\"scheme\":\"%s\",\"objects\":%d,\"connections\":%d,", s, o, c
		printf "\"requests_per_s\":%s,\"nginx_requests_per_s\":%s,\"ratio\":%.2f,", m, p, m / p
		printf "\"rounds\":%d,\"machine\":\"%s, %d cores\",\"commit\":\"%s\"}\n", r, cpu, n, g }'
}

for connections in 1 16 128; do
	measure http 100 $connections "http://127.0.0.1:$port/100" "http://127.0.0.1:$((port + 2))/"
	measure http 1000 $connections "http://127.0.0.1:$port/1000" "http://127.0.0.1:$((port + 3))/"
	measure https 100 $connections "https://127.0.0.1:$((port + 1))/100" "https://127.0.0.1:$((port + 4))/"
	measure https 1000 $connections "https://127.0.0.1:$((port + 1))/1000" "https://127.0.0.1:$((port + 5))/"
done
