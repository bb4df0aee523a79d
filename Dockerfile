# syntax=docker/dockerfile:1
# The image of every annex command: docker build -t annex:0.1.0 .
FROM node:22-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY apiserver apiserver
COPY certs certs
COPY controllers controllers
COPY hack/bundle.mjs hack/
COPY registry registry
COPY storage storage
RUN npm run build

FROM node:22-bookworm-slim AS dependencies
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund && npm cache clean --force

# No shell and no package manager; its user "nonroot" is 65532, as the manifests say.
FROM gcr.io/distroless/nodejs22-debian12:nonroot
WORKDIR /app
ENV NODE_ENV=production
# The version is read from package.json.
COPY --from=build /src/package.json ./
COPY --from=dependencies /src/node_modules node_modules
COPY --from=build /src/dist dist
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/apiserver/main.js"]
CMD ["--help"]
