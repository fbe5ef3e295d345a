package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/scram"
)

func newUser() *cobra.Command {
	cmd := &cobra.Command{
		Use: "user", Short: "Add, list and drop users",
		Long: "user manages who may connect. A running gateway is asked over its Unix socket in the data folder; else the\n" +
			"folder is opened. As long as nobody has a password, user " + user + " connects from this machine without one.",
	}
	var role string
	add := &cobra.Command{
		Use: "add NAME", Short: "Add a user, or give one another password", Args: cobra.ExactArgs(1),
		Long: "add asks for the password, or reads it as a line of standard input. What is kept is a SCRAM verifier, made here.",
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := readPassword(cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return onGateway(cmd, func(ctx context.Context, conn *pgx.Conn) error { return addUser(ctx, conn, args[0], password, role) })
		},
	}
	add.Flags().StringVar(&role, "role", catalog.Reader, "what the user may do: reader, commenter, ingester or admin")
	list := &cobra.Command{
		Use: "list", Short: "List the users and what they may do", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return onGateway(cmd, func(ctx context.Context, conn *pgx.Conn) error { return listUsers(ctx, conn, cmd.OutOrStdout()) })
		},
	}
	drop := &cobra.Command{
		Use: "drop NAME", Short: "Drop a user", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onGateway(cmd, func(ctx context.Context, conn *pgx.Conn) error {
				_, err := conn.Exec(ctx, "DROP ROLE "+pgx.Identifier{args[0]}.Sanitize())
				return err
			})
		},
	}
	for _, c := range []*cobra.Command{add, list, drop} {
		folderFlags(c)
		cmd.AddCommand(c)
	}
	return cmd
}

// readPassword asks twice where somebody types, and else reads a line.
func readPassword(in io.Reader, prompt io.Writer) (string, error) {
	file, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		line, err := bufio.NewReader(in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", errors.New("the password is empty")
		}
		return line, nil
	}
	var typed [2][]byte
	for i, text := range []string{"Password: ", "Once more: "} {
		fmt.Fprint(prompt, text)
		var err error
		typed[i], err = term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(prompt)
		if err != nil {
			return "", err
		}
	}
	switch {
	case string(typed[0]) != string(typed[1]):
		return "", errors.New("the passwords are not the same")
	case len(typed[0]) == 0:
		return "", errors.New("the password is empty")
	}
	return string(typed[0]), nil
}

// onGateway connects to the gateway of a data folder. Where none runs, one is
// started for that, which only this process can reach.
func onGateway(cmd *cobra.Command, do func(context.Context, *pgx.Conn) error) (err error) {
	ctx := cmd.Context()
	c, err := loadConfig(cmd.Flags())
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.DataDir, layout.LockFile)); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(c.DataDir, 0o700); err != nil { // before its first start
			return err
		}
	}
	conn, stop, err := reach(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // what it did is committed
	return plainError(do(ctx, conn))
}

func reach(ctx context.Context, c *config) (_ *pgx.Conn, stop func() error, err error) {
	g := &gateway{log: slog.New(slog.DiscardHandler)}
	g.db, err = openEngine(c, g.log)
	if errors.Is(err, engine.ErrLocked) {
		conn, err := connectSocket(ctx, c.DataDir)
		return conn, func() error { return nil }, err
	}
	if err != nil {
		return nil, nil, err
	}
	stop = g.db.Close
	if g.socket, err = listenSocket(c.DataDir, &net.TCPAddr{Port: 5433}); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	g.newSQL(c, nil)
	g.serve("postgresql socket", func() error { return g.pg.Serve(g.socket) })
	stop = func() error {
		err := g.pg.Shutdown(context.WithoutCancel(ctx))
		g.wg.Wait()
		return errors.Join(err, g.socket.remove(), g.db.Close())
	}
	conn, err := connectAt(ctx, g.socket.path)
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return conn, stop, nil
}

func addUser(ctx context.Context, conn *pgx.Conn, name, password, role string) error {
	quoted, v := pgx.Identifier{name}.Sanitize(), scram.NewVerifier(password)
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name).Scan(&exists); err != nil {
		return err
	}
	statements := []string{
		"CREATE USER " + quoted + " PASSWORD '" + v.String() + "'",
		"GRANT " + pgx.Identifier{role}.Sanitize() + " TO " + quoted,
	}
	if exists {
		statements = []string{"ALTER ROLE " + quoted + " LOGIN PASSWORD '" + v.String() + "'"}
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after Commit it does nothing
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return tx.Commit(ctx)
}

func listUsers(ctx context.Context, conn *pgx.Conn, out io.Writer) error {
	rows, err := conn.Query(ctx, `SELECT r.rolname, coalesce(string_agg(g.rolname, ', ' ORDER BY g.rolname), ''), r.rolcanlogin
		FROM pg_roles r LEFT JOIN pg_auth_members m ON m.member = r.oid LEFT JOIN pg_roles g ON g.oid = m.roleid
		WHERE r.oid >= 16384 GROUP BY r.rolname, r.rolcanlogin ORDER BY r.rolname`)
	if err != nil {
		return err
	}
	defer rows.Close()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "user\troles\tconnects")
	for rows.Next() {
		var name, roles string
		var login bool
		if err := rows.Scan(&name, &roles, &login); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", name, roles, map[bool]string{true: "yes", false: "no"}[login])
	}
	return errors.Join(rows.Err(), w.Flush())
}
