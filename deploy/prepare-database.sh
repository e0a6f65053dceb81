#!/bin/sh
# Run once by the PostgreSQL image on an empty data folder: the three roles, their passwords, and the database.
set -eu

roles=${ROLES_FILE:-/referralnet/roles.sql}
administer() {
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres "$@"
}

administer --file "$roles"
# By standard input, so that no password stands in a list of processes.
for role in owner app worker; do
    case $role in
        owner) password=$DATABASE_OWNER_PASSWORD ;;
        app) password=$DATABASE_APP_PASSWORD ;;
        worker) password=$DATABASE_WORKER_PASSWORD ;;
    esac
    export password
    printf '%s\n' '\getenv password password' "alter role referralnet_$role password :'password';" | administer
done
administer --command 'create database referralnet owner referralnet_owner'
