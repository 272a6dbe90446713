import tseslint from 'typescript-eslint';

// Type-checked rules: a floating promise in a security proxy is an unhandled refusal.
export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.portcullis/'] },
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
);
