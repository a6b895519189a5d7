# A stand-in for the official image of HAProxy, from Debian's package (own-images.sh), of the suite that has the version.
# Only what both have may be relied on: the user, its folder, the place of the configuration, the signal to stop.
ARG BASE

FROM ${BASE} AS haproxy
RUN apt-get update -q && apt-get install -q -y haproxy && rm -rf /var/lib/apt/lists/* \
 && usermod --uid 99 haproxy && groupmod --gid 99 haproxy && chown -R haproxy:haproxy /var/lib/haproxy \
 && mkdir -p /usr/local/etc/haproxy && haproxy -v
WORKDIR /var/lib/haproxy
USER haproxy
STOPSIGNAL SIGUSR1
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
