# The service alone, as a user without rights; compose.yaml adds what it stands on.
#
#   docker build -t softfactory-files .
#   docker run --name files -p 127.0.0.1:8000:8000 -v softfactory:/data softfactory-files
#   docker exec files ./files users create NAME EMAIL --password ...

# The full image has the compiler that gunicorn's C parser is built with; nothing else of it stays.
FROM python:3.11 AS build
COPY requirements.txt requirements-fast.txt ./
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.txt \
    && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements-fast.txt

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --no-create-home softfactory \
    && install -d -o softfactory -g softfactory /data
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
# Secrets that the service makes for itself outlive the container, as its data does.
RUN ln -s /data/.env .env

USER softfactory
# Where SQLite and local storage are used, they live in the volume.
ENV DATABASE_URL=sqlite:////data/softfactory.db MEDIA_ROOT=/data/media
VOLUME /data
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD [ \
    "python", "-c", \
    "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)" ]

CMD ["sh", "scripts/serve.sh"]
