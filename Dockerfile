# syntax-free on purpose: the classic front end is enough, and a syntax line would have to be fetched from a registry.
ARG NODE_IMAGE=node:24-trixie-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
# What ends up in the bundle is in `dependencies`, and so is the bundler; the tools of developers are not needed here.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts/build.mjs scripts/
COPY src src
RUN node scripts/build.mjs

FROM ${NODE_IMAGE} AS sidecar
LABEL org.opencontainers.image.title="cert-sidecar" \
      org.opencontainers.image.description="Gets, renews, deploys and verifies nginx's certificates" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production
COPY --from=build /build/dist /opt/cert-sidecar
COPY --chmod=0755 src/update-cert.sh /update-cert.sh
RUN for command in cert-sidecar $(cat /opt/cert-sidecar/verbs); do \
      ln -s /opt/cert-sidecar/cli.js "/usr/local/bin/$command"; \
    done
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["healthcheck"]
# No VOLUME: it would hide a forgotten mount behind an anonymous one, and the certificates with it.
# SIGUSR1 would open Node's inspector, and with it this process, to every user in the container.
# The other flags and the one malloc arena save some 6 MB: a daemon that sleeps needs neither a big nursery nor threads for it. And
# without --optimize-for-size garbage is left to lie until it is twice what is alive: some 80 MB with 500 certificates.
# What is freed of a large piece goes back to the system at once: some 5 MB at the peak of 500 certificates.
ENV MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=65536 MALLOC_TRIM_THRESHOLD_=65536
ENTRYPOINT ["node", "--disable-sigusr1", "--max-semi-space-size=1", "--optimize-for-size", "--v8-pool-size=0", "/opt/cert-sidecar/main.js"]

# For hooks of later versions: the same, plus the commands that they usually call. None is run yet.
FROM sidecar AS hooks
RUN apt-get update \
 && apt-get install -y --no-install-recommends curl jq openssl \
 && rm -rf /var/lib/apt/lists/*

# Last, so that a plain `docker build` makes it.
FROM sidecar
