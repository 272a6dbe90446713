import tseslint from 'typescript-eslint';

/** The comment right above a node, when it is a doc comment. */
const docOf = (source, node) => {
  const comment = source.getCommentsBefore(node).at(-1);
  return comment?.type === 'Block' && comment.value.startsWith('*') ? comment : undefined;
};
const isFunction = (node) => node?.type === 'ArrowFunctionExpression' || node?.type === 'FunctionExpression';

/** Every exported function, and every file, says what it promises. */
const docs = {
  rules: {
    exported: {
      create: (context) => ({
        'ExportNamedDeclaration, ExportDefaultDeclaration'(node) {
          const { declaration } = node;
          const named =
            declaration?.type === 'FunctionDeclaration' || declaration?.type === 'TSDeclareFunction'
              ? declaration.id
              : declaration?.type === 'VariableDeclaration'
                ? declaration.declarations.find(({ init }) => isFunction(init))?.id
                : undefined;
          if (named === undefined || docOf(context.sourceCode, node) !== undefined) return;
          // Of overloads the first has it.
          const before = node.parent.body[node.parent.body.indexOf(node) - 1]?.declaration;
          if (before?.type === 'TSDeclareFunction' && before.id.name === named.name) return;
          context.report({
            node: named,
            message: `${named.name} is exported: say its promise, unit and failure above`,
          });
        },
      }),
    },
    head: {
      create: (context) => ({
        Program(node) {
          const first = context.sourceCode.getAllComments().find(({ type }) => type !== 'Shebang');
          if (first?.type === 'Block' && first.value.startsWith('*') && first.loc.start.line <= 2) return;
          context.report({ node, message: 'the file begins with a comment that says what it is for' });
        },
      }),
    },
  },
};

// Type-checked rules: a floating promise in a security proxy is an unhandled refusal.
export default tseslint.config(
  { ignores: ['build/', 'dist/', 'node_modules/', '.portcullis/'] },
  ...tseslint.configs.recommendedTypeChecked,
  { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } } },
  {
    // supertest hands out parsed bodies as `any`; tests say what they expect of them.
    files: ['test/**'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
  { files: ['**/*.js', '**/*.mjs', '**/*.cjs'], ...tseslint.configs.disableTypeChecked },
  // What tsc does not read.
  { files: ['**/*.mjs', '**/*.js'], rules: { 'no-redeclare': 'error' } },
  {
    files: ['src/**', 'bench/**'],
    plugins: { docs },
    rules: {
      'docs/exported': 'error',
      'docs/head': 'error',
      'max-lines': ['error', 350],
      'max-lines-per-function': ['error', 80],
    },
  },
);
