# The service of examples/service. Put your own in its place.
# The base image is named by its version and not by its digest: where a registry can be reached,
# `docker buildx imagetools inspect denoland/deno:distroless-2.9.1` says it, to be put behind the name (`@sha256:…`).
ARG DENO_VERSION=2.9.1

FROM denoland/deno:distroless-${DENO_VERSION} AS base
# Mirrors, where jsr.io and registry.npmjs.org are not to be used.
ARG JSR_URL=https://jsr.io/
ARG NPM_CONFIG_REGISTRY=https://registry.npmjs.org/
ENV JSR_URL=${JSR_URL} NPM_CONFIG_REGISTRY=${NPM_CONFIG_REGISTRY} DENO_DIR=/deno-dir DENO_NO_UPDATE_CHECK=1 NO_COLOR=1
WORKDIR /app

# Fetches what the program imports, while there is a network.
FROM base AS modules
# What is fetched has the hashes of deploy/image.deno.lock, or the build fails. Nothing comes from JSR.
COPY deploy/image.deno.json deno.json
COPY deploy/image.deno.lock deno.lock
COPY mod.ts ./
COPY src src
COPY examples/catalogue/product.ts examples/catalogue/products.json examples/catalogue/
COPY examples/service examples/service
RUN ["deno", "cache", "examples/service/main.ts", "examples/service/healthcheck.ts"]

# Only what is needed to run. Nothing of it belongs to the user that runs it, and nothing has to be written.
FROM base
COPY --from=modules /app /app
COPY --from=modules /deno-dir /deno-dir
USER 1993:1993
EXPOSE 8000
# tini, the parent, passes signals on. What the program may do is all here; what it may reach is in CMD, to be replaced where
# Redis is elsewhere.
ENTRYPOINT ["/tini", "--", "/bin/deno", "run", "--cached-only", "--no-prompt", \
  "--allow-env=HOST,PORT,DRAIN,HOSTNAME,REDIS_URL,REDIS_CACHE_URL,REDIS_HOST,REDIS_PORT,REDIS_USERNAME,REDIS_PASSWORD,REDIS_PASSWORD_FILE,REDIS_DB,REDIS_TLS,REDIS_TTL,REDIS_NAMESPACE", \
  "--allow-read=/run/secrets/redis_password"]
CMD ["--allow-net=0.0.0.0:8000,redis:6379,redis-cache:6379", "examples/service/main.ts"]
