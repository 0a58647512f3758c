# One image for the proxy and the toy backends; docker-compose.yml says which of them a container runs.
FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
# The optional packages are the programs of PostgreSQL, which has a container of its own.
RUN node scripts/setup.mjs --build && npm prune --omit=dev --omit=optional

FROM node:20-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/scenarios ./scenarios
# A volume that is mounted here for the first time belongs to whom this directory belongs to.
RUN install -d -o node -g node -m 700 /shared
USER node
ENTRYPOINT ["node"]
CMD ["dist/cli.js", "--help"]
