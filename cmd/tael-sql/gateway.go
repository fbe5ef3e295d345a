package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/console"
	"github.com/tael-sql/tael-sql/internal/ingest"
	"github.com/tael-sql/tael-sql/internal/session"
	"github.com/tael-sql/tael-sql/pgwire"
	"github.com/tael-sql/tael-sql/tables"
)

// database and user are what clients connect to while no users are configured.
const (
	database = "tael"
	user     = "tael"
)

// endpoints are the addresses in use, as endpoints.json has them.
type endpoints struct {
	PG       string `json:"pg"`
	PGSocket string `json:"pg_socket,omitempty"` // "": there is none
	OTLPGRPC string `json:"otlp_grpc"`
	OTLPHTTP string `json:"otlp_http"`
	Admin    string `json:"admin"`
}

// A gateway is everything that serve runs.
type gateway struct {
	log       *slog.Logger
	db        *engine.DB
	pg        *pgwire.Server
	otlp      *ingest.Server
	admin     *http.Server
	socket    *socket // nil: none
	console   *console.Console
	audit     *auditor // nil: nothing is audited
	endpoints endpoints
	ready     atomic.Bool
	wg        sync.WaitGroup

	sessions    *session.Handler
	stopRollUps context.CancelFunc // nil before they have begun
}

// startGateway opens the data folder and listens. Listeners open before the
// engine does, so that a port in use fails at once; they are served after it.
func startGateway(c *config, log *slog.Logger) (g *gateway, err error) {
	g = &gateway{log: log}
	encryption, err := c.tlsConfig(log)
	if err != nil {
		return nil, err
	}
	if g.audit, err = newAuditor(c.Audit.Level, c.Audit.File, log); err != nil {
		return nil, err
	}
	listeners := make([]net.Listener, 4)
	for i, addr := range []string{c.PGAddr, c.OTLPGRPCAddr, c.OTLPHTTPAddr, c.AdminAddr} {
		if listeners[i], err = net.Listen("tcp", addr); err != nil {
			return nil, errors.Join(fmt.Errorf("listen: %w", err), closeAll(listeners[:i]))
		}
	}
	g.endpoints = endpoints{
		PG: listeners[0].Addr().String(), OTLPGRPC: listeners[1].Addr().String(),
		OTLPHTTP: listeners[2].Addr().String(), Admin: listeners[3].Addr().String(),
	}
	if g.db, err = openEngine(c, log); err != nil {
		return nil, errors.Join(err, closeAll(listeners))
	}
	who := g.newSQL(c, encryption)
	for name, addr := range map[string]string{"pg-addr": c.PGAddr, "otlp-grpc-addr": c.OTLPGRPCAddr, "otlp-http-addr": c.OTLPHTTPAddr} {
		if host, _, _ := net.SplitHostPort(addr); isPublic(host) && !who.passwords() { // validated
			return nil, errors.Join(fmt.Errorf("%s %q is not a loopback address, and nobody has a password: tael-sql user add", name, addr), g.db.Close(), closeAll(listeners))
		}
	}
	g.otlp = ingest.NewServer(g.db, ingest.Options{
		MaxMessageBytes: int(c.Ingest.MaxMessageBytes), MaxInFlightBytes: c.Ingest.MaxInFlightBytes,
		Decode: c.Retention.items().Decode, CORSOrigins: c.Ingest.CORSOrigins, Rewrite: c.rewrite(), Logger: log,
		Authorize: ingestAuthorizer{who, newProvedPasswords()}.Authorize, TLS: encryption,
	})
	sessions := console.NewPipe()
	g.console = console.New(sessions, database, user)
	g.serve("console", func() error { return g.pg.Serve(sessions) })
	g.admin = &http.Server{Handler: g.adminHandler(c.Admin.Pprof), ReadHeaderTimeout: 5 * time.Second}

	if socket, err := listenSocket(c.DataDir, listeners[0].Addr()); err != nil {
		log.Warn("there is no Unix socket in the data folder: backups of the running gateway are not possible", "error", err)
	} else {
		g.endpoints.PGSocket, g.socket = socket.path, socket
		g.serve("postgresql socket", func() error { return g.pg.Serve(socket) })
	}
	g.serve("postgresql", func() error { return g.pg.Serve(listeners[0]) })
	g.serve("otlp grpc", func() error { return g.otlp.Serve(listeners[1]) })
	g.serve("otlp http", func() error { return g.otlp.ServeWeb(listeners[2]) })
	g.serve("admin", func() error { return g.admin.Serve(listeners[3]) })
	if err := g.writeEndpoints(c.DataDir); err != nil {
		return nil, errors.Join(err, g.stop(context.Background()))
	}
	g.startRollUps()
	g.ready.Store(true)
	log.Info("ready", "pg", g.endpoints.PG, "otlp_grpc", g.endpoints.OTLPGRPC, "otlp_http", g.endpoints.OTLPHTTP, "admin", g.endpoints.Admin, "data", c.DataDir)
	return g, nil
}

// newSQL makes what answers SQL over the engine.
func (g *gateway) newSQL(c *config, encryption *tls.Config) authenticator {
	cat := catalog.New(database, user)
	tables.Register(cat)
	store := tables.NewStore(g.db)
	if err := store.RegisterViews(cat); err != nil {
		g.log.Error("the views cannot be read", "error", err)
	}
	store.KeepComments(c.Retention.keep["comments"])
	if err := store.KeepRollups(c.Retention.keep["metrics_5m"]); err != nil {
		g.log.Error("what is stored of metrics_5m cannot be read: expired points stay", "error", err)
	}
	cat.SetRoles(func() []catalog.Role {
		list, err := store.Roles()
		if err != nil {
			g.log.Error("the roles cannot be read", "error", err)
		}
		return list
	})
	who := authenticator{cat, store.Roles}
	var audited func(session.Audited)
	var login func(user string, from net.Addr, err error)
	if g.audit != nil {
		audited, login = g.audit.statement, g.audit.login
	}
	g.sessions = session.NewHandler(session.Options{
		Audit:   audited,
		Catalog: cat, Database: database, User: user,
		Store: store, Checkpoint: g.db.Checkpoint, Backup: g.backup,
		QueryMemory: c.Limits.QueryMemory, TotalMemory: c.Limits.TotalMemory,
	})
	g.pg = pgwire.NewServer(g.sessions, pgwire.Options{MaxConnections: c.Limits.Connections, MaxPerHost: c.Limits.ConnectionsPerHost, Login: login, TLS: encryption, Authenticator: who, Logger: g.log})
	return who
}

// backup is tael_backup.
func (g *gateway) backup(ctx context.Context, dir string, withCold bool) (lsn uint64, err error) {
	g.log.Info("backing up", "to", dir)
	b, err := g.db.Backup(ctx, dir, withCold)
	if err != nil {
		return 0, err
	}
	g.log.Info("backed up", "to", dir, "lsn", b.LSN, "files", len(b.Files))
	return b.LSN, nil
}

func closeAll(list []net.Listener) error {
	var errs []error
	for _, l := range list {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

func openEngine(c *config, log *slog.Logger) (*engine.DB, error) {
	return engine.Open(c.DataDir, engineOptions(c, log))
}

func engineOptions(c *config, log *slog.Logger) engine.Options {
	dedupe := c.Ingest.DedupeWindow
	if dedupe == 0 {
		dedupe = -1 // off; the engine takes 0 for its default
	}
	ballast := c.Ingest.Ballast
	if ballast == 0 {
		ballast = -1 // none; the engine takes 0 for its default
	}
	return engine.Options{
		Cold: c.cold, Retention: c.Retention.tables(), Held: []string{"metrics"}, Payloads: c.Retention.payloads(),
		Tables: tables.Specs(), Keyed: tables.KeyedSpecs(), Decode: c.Retention.items().Rows, Logger: log,
		MaxMemtableBytes: c.Hot.MemtableBytes, MaxMemtableAge: c.Hot.FlushAfter, MaxWALBytes: c.Hot.WALBytes, HotWindow: c.Hot.Window,
		BlockCacheBytes: c.Hot.CacheBytes, MaxInFlightBytes: c.Ingest.MaxInFlightBytes,
		ReplaceHorizon: c.Ingest.ReplaceHorizon, DedupeWindow: dedupe, MinFreeShare: c.Ingest.MinFreeDisk, BallastBytes: ballast,
	}
}

func (g *gateway) serve(name string, run func() error) {
	g.wg.Go(func() {
		if err := run(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			g.log.Error("a listener has stopped", "listener", name, "error", err)
		}
	})
}

// writeEndpoints says where the gateway listens, before it says that it is ready.
func (g *gateway) writeEndpoints(dir string) error {
	raw, err := json.MarshalIndent(g.endpoints, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, layout.EndpointsFile), append(raw, '\n'), 0o644)
}

// adminHandler serves the operator's pages.
func (g *gateway) adminHandler(pprofOn bool) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, ok bool, text string) {
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintln(w, text)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, true, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := g.db.Err(); err != nil {
			answer(w, false, "stopped after an I/O error")
			return
		}
		answer(w, g.ready.Load(), map[bool]string{true: "ready", false: "starting"}[g.ready.Load()])
	})
	if pprofOn {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	mux.Handle("/console/", g.console.Handler())
	mux.Handle("GET /{$}", http.RedirectHandler("/console/", http.StatusFound))
	mux.Handle("GET /metrics", promhttp.HandlerFor(newRegistry(g), promhttp.HandlerOpts{}))
	return mux
}

// stop ends the gateway: first what takes requests, then the engine, which
// flushes what it holds.
func (g *gateway) stop(ctx context.Context) error {
	g.ready.Store(false)
	if g.stopRollUps != nil {
		g.stopRollUps()
	}
	g.otlp.Shutdown(ctx)
	g.console.Close()
	errs := []error{g.pg.Shutdown(ctx)}
	if g.socket != nil {
		errs = append(errs, g.socket.remove())
	}
	errs = append(errs, g.db.Close(), g.admin.Shutdown(ctx), g.audit.close())
	g.wg.Wait()
	return errors.Join(errs...)
}
